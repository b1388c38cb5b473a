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

variable "cidr" {
  description = "Addresses of nodes, a /20."
  type        = string
  default     = "10.64.0.0/20"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/20")
    error_message = "A /20 in CIDR notation."
  }
}

variable "pods_cidr" {
  description = "Addresses of pods, a /14."
  type        = string
  default     = "10.68.0.0/14"

  validation {
    condition     = can(cidrhost(var.pods_cidr, 0))
    error_message = "A block in CIDR notation."
  }
}

variable "services_cidr" {
  description = "Addresses of services of Kubernetes, a /20."
  type        = string
  default     = "10.72.0.0/20"

  validation {
    condition     = can(cidrhost(var.services_cidr, 0))
    error_message = "A block in CIDR notation."
  }
}
