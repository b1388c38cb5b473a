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

variable "secrets" {
  description = "What has a secret of its own: the services."
  type        = set(string)

  validation {
    condition     = alltrue([for secret in var.secrets : can(regex("^[a-z][a-z-]+$", secret))])
    error_message = "Lower-case letters and hyphens."
  }
}
