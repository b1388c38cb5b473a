variable "name" {
  description = "Prefix of every name, one per cell: bloom-us."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, 3 to 20 of them, a letter first."
  }
}

variable "jurisdiction" {
  description = "Where the cell's data may be: us or eu."
  type        = string

  validation {
    condition     = contains(["us", "eu"], var.jurisdiction)
    error_message = "us or eu."
  }
}

variable "region" {
  description = "Region of the cell, the one that its provider is set to."
  type        = string

  validation {
    condition     = startswith(var.region, "${var.jurisdiction}-")
    error_message = "The region lies outside the jurisdiction: health data would leave it."
  }
}

variable "backup_region" {
  description = "Region of the copies, the one that the backup provider is set to."
  type        = string

  validation {
    condition     = startswith(var.backup_region, "${var.jurisdiction}-") && var.backup_region != var.region
    error_message = "Another region of the same jurisdiction: a copy beside the original is lost with it, one abroad breaks the law."
  }
}

variable "cidr" {
  description = "Addresses of the VPC, a /16 of its own for each cell."
  type        = string
}

variable "one_nat_gateway" {
  description = "One NAT gateway for all zones: for cells that may lose their way out with a zone."
  type        = bool
  default     = false
}

variable "nodes" {
  description = "The groups of nodes, as aws-eks takes them."
  type = map(object({
    instance_types = list(string)
    minimum        = number
    maximum        = number
    spot           = bool
  }))
}

variable "administrators" {
  description = "ARNs of the roles that may administer the cluster."
  type        = set(string)
  default     = []
}

variable "database" {
  description = "Size of PostgreSQL."
  type        = object({ instance_class = string, storage_gib = number })
}

variable "cache_node_type" {
  description = "Size of each Valkey node."
  type        = string
}

variable "valkey_auth_token" {
  description = "Password of Valkey, from the environment: TF_VAR_valkey_auth_token."
  type        = string
  sensitive   = true
}

variable "kafka_bootstrap_servers" {
  description = "Where the cell's Kafka answers; the root of Kafka gives it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+:[0-9]+(,[a-z0-9.-]+:[0-9]+)*$", var.kafka_bootstrap_servers))
    error_message = "host:port, separated by commas."
  }
}

variable "hostname" {
  description = "Name that people reach the jurisdiction by."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.hostname))
    error_message = "A host name."
  }
}

variable "lab_results_package" {
  description = "Path of the archive of the lab results' function."
  type        = string
}
