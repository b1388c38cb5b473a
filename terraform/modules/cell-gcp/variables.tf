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

variable "jurisdiction" {
  description = "Where the cell's data may be: us or eu."
  type        = string

  validation {
    condition     = contains(["us", "eu"], var.jurisdiction)
    error_message = "us or eu."
  }
}

variable "region" {
  description = "Region of the cell."
  type        = string

  validation {
    # Google says europe-west1 where AWS says eu-west-1.
    condition     = startswith(replace(var.region, "europe-", "eu-"), "${var.jurisdiction}-")
    error_message = "The region lies outside the jurisdiction: health data would leave it."
  }
}

variable "administrators_cidr" {
  description = "Addresses that may reach the API of the cluster, inside the network."
  type        = string
}

variable "database" {
  description = "Size of PostgreSQL."
  type        = object({ tier = string, storage_gib = number })
}

variable "cache_node_type" {
  description = "Size of each Valkey node."
  type        = string
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

variable "events" {
  description = "Types of the events that the lake has tables of."
  type        = set(string)
}
