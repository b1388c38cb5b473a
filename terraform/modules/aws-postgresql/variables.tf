variable "name" {
  description = "Prefix of every name, one per cell: bloom-us."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, 3 to 20 of them, a letter first."
  }
}

variable "key_arn" {
  description = "KMS key that everything here is encrypted with."
  type        = string

  validation {
    condition     = startswith(var.key_arn, "arn:aws")
    error_message = "The ARN of a KMS key."
  }
}

variable "vpc_id" {
  description = "The VPC it lies in."
  type        = string
}

variable "subnets" {
  description = "Subnets without a way out, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "At least two subnets, in different zones: the standby lives in another one."
  }
}

variable "client_security_group_id" {
  description = "Security group of the pods, the only one let in."
  type        = string
}

variable "backup_key_arn" {
  description = "KMS key of the backup region, for the backups that are kept there."
  type        = string
}

variable "engine_version" {
  description = "Major version of PostgreSQL: the one that the tests run on."
  type        = string
  default     = "18"

  validation {
    condition     = tonumber(var.engine_version) >= 16
    error_message = "PostgreSQL 16 or newer."
  }
}

variable "instance_class" {
  description = "Size of the instance and of its standby."
  type        = string

  validation {
    condition     = can(regex("^db\\.", var.instance_class))
    error_message = "A class of RDS such as db.m7g.large."
  }
}

variable "storage_gib" {
  description = "Storage at first; it grows by itself to five times as much."
  type        = number

  validation {
    condition     = var.storage_gib >= 20 && var.storage_gib <= 10000
    error_message = "20 to 10000 GiB."
  }
}

variable "backup_days" {
  description = "How far back the database can be brought to any second."
  type        = number
  default     = 35

  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35
    error_message = "7 to 35 days."
  }
}
