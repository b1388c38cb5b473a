variable "name" {
  description = "Prefix of every name, one per cell: bloom-us."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, 3 to 20 of them, a letter first."
  }
}

variable "purposes" {
  description = "What is encrypted apart from the rest: one key each, so that a grant on one opens nothing else."
  type        = set(string)

  validation {
    condition     = length(var.purposes) > 0 && alltrue([for purpose in var.purposes : can(regex("^[a-z-]+$", purpose))])
    error_message = "At least one purpose, in lower-case letters and hyphens."
  }
}
