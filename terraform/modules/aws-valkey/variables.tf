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

variable "vpc_id" {
  description = "The VPC it lies in."
  type        = string
}

variable "subnets" {
  description = "Subnets without a way out, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "At least two subnets, in different zones: the standby lives in another one."
  }
}

variable "client_security_group_id" {
  description = "Security group of the pods, the only one let in."
  type        = string
}

variable "node_type" {
  description = "Size of each node."
  type        = string

  validation {
    condition     = can(regex("^cache\\.", var.node_type))
    error_message = "A type of ElastiCache such as cache.t4g.small."
  }
}

variable "replicas" {
  description = "Replicas beside the primary, in other zones."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 5
    error_message = "One to five: without a replica nobody takes over."
  }
}

variable "auth_token" {
  description = "Password of the server. Terraform keeps it in its state, which is why the state is encrypted."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.auth_token) >= 32 && length(var.auth_token) <= 128 && can(regex("^[A-Za-z0-9]+$", var.auth_token))
    error_message = "32 to 128 letters and digits."
  }
}
