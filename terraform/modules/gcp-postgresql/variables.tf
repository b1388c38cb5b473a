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

variable "key_id" {
  description = "Key of Cloud KMS that everything here is encrypted with."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.key_id))
    error_message = "The full id of a key."
  }
}

variable "network_id" {
  description = "The network that it has an address in."
  type        = string
}

variable "tier" {
  description = "Size of the instance and of its standby."
  type        = string

  validation {
    condition     = can(regex("^db-", var.tier))
    error_message = "A tier of Cloud SQL such as db-custom-2-8192."
  }
}

variable "storage_gib" {
  description = "Storage at first; it grows by itself."
  type        = number

  validation {
    condition     = var.storage_gib >= 10
    error_message = "At least 10 GiB."
  }
}

variable "backup_location" {
  description = "Region or multi-region of the backups, in the same jurisdiction: us or eu."
  type        = string

  validation {
    condition     = contains(["us", "eu"], var.backup_location)
    error_message = "us or eu."
  }

  validation {
    condition     = startswith(var.region, var.backup_location)
    error_message = "Backups would leave the jurisdiction."
  }
}
