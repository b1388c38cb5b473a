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
  description = "Where the data set is: US or EU, as the bucket."
  type        = string

  validation {
    condition     = contains(["US", "EU"], var.location)
    error_message = "US or EU."
  }
}

variable "bucket" {
  description = "Bucket of the lake."
  type        = string
}

variable "events" {
  description = "Types of the events, each of which is a table."
  type        = set(string)

  validation {
    condition     = alltrue([for event in var.events : can(regex("^[a-z.-]+\\.v[0-9]+$", event))])
    error_message = "Types of events such as appointment.booked.v1."
  }
}
