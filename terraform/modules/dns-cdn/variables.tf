variable "domain" {
  description = "The platform's domain; its hosted zone is made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "A domain name."
  }
}

variable "cells" {
  description = "By cell: its jurisdiction, the address of its gateway, and whether it stands by for the jurisdiction's other one."
  type = map(object({
    jurisdiction = string
    gateway      = string
    standby      = bool
  }))

  validation {
    condition = alltrue([
      for jurisdiction in distinct([for cell in var.cells : cell.jurisdiction]) :
      length([for cell in var.cells : cell if cell.jurisdiction == jurisdiction && !cell.standby]) == 1
    ])
    error_message = "Each jurisdiction has exactly one cell that does not stand by."
  }

  validation {
    condition = alltrue([
      for jurisdiction in distinct([for cell in var.cells : cell.jurisdiction]) :
      length([for cell in var.cells : cell if cell.jurisdiction == jurisdiction && cell.standby]) <= 1
    ])
    error_message = "At most one cell stands by in a jurisdiction."
  }
}

variable "requests_in_five_minutes" {
  description = "How many requests one address may make in five minutes before it is turned away at the edge."
  type        = number
  default     = 5000

  validation {
    condition     = var.requests_in_five_minutes >= 100
    error_message = "At least 100: clinics share an address."
  }
}
