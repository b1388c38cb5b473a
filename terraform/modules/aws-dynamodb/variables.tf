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

variable "indexes" {
  description = "Global secondary indexes by name: each has keys of its own, <name>_pk and <name>_sk."
  type        = set(string)
  default     = ["gsi1", "gsi2"]

  validation {
    condition     = length(var.indexes) <= 5 && alltrue([for index in var.indexes : can(regex("^gsi[1-9]$", index))])
    error_message = "At most five, called gsi1 to gsi9."
  }
}
