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

variable "database" {
  description = "The database's identifier, as CloudWatch knows it."
  type        = string
}

variable "database_storage_gib" {
  description = "Its storage at first, a tenth of which must stay free."
  type        = number

  validation {
    condition     = var.database_storage_gib > 0
    error_message = "More than nothing."
  }
}

variable "cache_nodes" {
  description = "Identifiers of the Valkey nodes."
  type        = set(string)
}

variable "table" {
  description = "Name of the table of documents."
  type        = string
}

variable "function" {
  description = "Name of the function that lists laboratories' documents."
  type        = string
}

variable "failed_queue" {
  description = "Queue of what that function could not handle."
  type        = string
}
