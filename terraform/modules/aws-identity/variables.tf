variable "name" {
  description = "Prefix of every name, one per cell: bloom-us."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, 3 to 20 of them, a letter first."
  }
}

variable "oidc_provider_arn" {
  description = "The cluster's provider of identities."
  type        = string
}

variable "oidc_issuer" {
  description = "Issuer of the service accounts' tokens, without its scheme."
  type        = string

  validation {
    condition     = !startswith(var.oidc_issuer, "https://")
    error_message = "Without https://, as conditions of IAM name it."
  }
}

variable "namespace" {
  description = "Namespace of Kubernetes that the services run in."
  type        = string
  default     = "bloom"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,62}$", var.namespace))
    error_message = "A name of Kubernetes."
  }
}

variable "services" {
  description = "By service: the secret it reads, the key it decrypts with, and its bucket, which it reads or reads and writes."
  type = map(object({
    secret_arn = string
    key_arns   = list(string)
    bucket     = optional(object({ arn = string, writes = bool }))
  }))

  validation {
    condition     = length(var.services) > 0
    error_message = "At least one service."
  }
}
