variable "name" {
  description = "Prefix of every name, one per cell: bloom-us."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, 3 to 20 of them, a letter first."
  }
}

variable "project" {
  description = "Project that everything lies in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "The id of a project."
  }
}

variable "region" {
  description = "Region that it lies in."
  type        = string

  validation {
    condition     = can(regex("^(us|europe)-[a-z]+[0-9]$", var.region))
    error_message = "A region of the United States or of Europe."
  }
}

variable "network_id" {
  description = "The network that it is reached from."
  type        = string
}

variable "node_type" {
  description = "Size of each node."
  type        = string
  default     = "SHARED_CORE_NANO"

  validation {
    condition     = contains(["SHARED_CORE_NANO", "STANDARD_SMALL", "HIGHMEM_MEDIUM", "HIGHMEM_XLARGE"], var.node_type)
    error_message = "A node type of Memorystore for Valkey."
  }
}
