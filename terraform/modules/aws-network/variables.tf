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

variable "cidr" {
  description = "Addresses of the VPC: a /16, cut into /20 for nodes and /24 for data and gateways."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "A /16 in CIDR notation."
  }
}

variable "zones" {
  description = "How many availability zones the cell spans; three let a quorum outlive one."
  type        = number
  default     = 3

  validation {
    condition     = var.zones >= 2 && var.zones <= 4
    error_message = "Two to four zones: one alone would be a single point of failure."
  }
}

variable "one_nat_gateway" {
  description = "One NAT gateway for all zones: cheaper, and without way out when its zone is gone."
  type        = bool
  default     = false
}
