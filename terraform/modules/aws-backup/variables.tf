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

variable "backup_key_arn" {
  description = "KMS key of the backup region, for the copies that are kept there."
  type        = string
}

variable "keep_days" {
  description = "How long a day's backup is kept."
  type        = number
  default     = 35

  validation {
    condition     = var.keep_days >= 7
    error_message = "At least a week."
  }
}

variable "keep_months_days" {
  description = "How long a month's backup is kept, in days."
  type        = number
  default     = 400

  validation {
    condition     = var.keep_months_days >= 365
    error_message = "At least a year."
  }
}
