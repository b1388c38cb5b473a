variable "domain" {
  description = "The platform's domain."
  type        = string
}

variable "cells" {
  description = "By cell: its jurisdiction, the address of its gateway, and whether it stands by, as dns-cdn takes them."
  type = map(object({
    jurisdiction = string
    gateway      = string
    standby      = bool
  }))
}
