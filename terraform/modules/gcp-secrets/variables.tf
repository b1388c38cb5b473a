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

variable "secrets" {
  description = "What has a secret of its own: the services."
  type        = set(string)

  validation {
    condition     = alltrue([for secret in var.secrets : can(regex("^[a-z][a-z-]+$", secret))])
    error_message = "Lower-case letters and hyphens."
  }
}
