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

variable "workload_pool" {
  description = "The cluster's pool of identities."
  type        = string

  validation {
    condition     = endswith(var.workload_pool, ".svc.id.goog")
    error_message = "A pool of GKE."
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
  description = "By service: the secret it reads and its bucket, which it reads or reads and writes."
  type = map(object({
    secret = string
    bucket = optional(object({ name = string, writes = bool }))
  }))

  validation {
    condition     = length(var.services) > 0
    error_message = "At least one service."
  }
}
