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

variable "key_id" {
  description = "Key of Cloud KMS that everything here is encrypted with."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.key_id))
    error_message = "The full id of a key."
  }
}

variable "location" {
  description = "Where the objects are: a dual region keeps each of them in two regions of the jurisdiction."
  type        = string

  validation {
    condition     = contains(["NAM4", "EUR4"], var.location)
    error_message = "NAM4 or EUR4."
  }
}

variable "buckets" {
  description = "Short names of the buckets."
  type        = set(string)

  validation {
    condition     = alltrue([for bucket in var.buckets : can(regex("^[a-z][a-z-]{1,30}$", bucket)) && bucket != "logs"])
    error_message = "Lower-case letters and hyphens; logs is the name of the bucket of access logs."
  }
}
