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

variable "subnets" {
  description = "Subnets of the nodes, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnets) >= 2
    error_message = "At least two subnets, in different zones."
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, as EKS names it."
  type        = string
  default     = "1.34"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "A minor version such as 1.34."
  }
}

variable "nodes" {
  description = "The groups of nodes: what they are, how many at least, at most and at first, and whether they may be taken away (spot)."
  type = map(object({
    instance_types = list(string)
    minimum        = number
    maximum        = number
    spot           = bool
  }))

  validation {
    condition     = anytrue([for group in var.nodes : !group.spot])
    error_message = "One group must be on demand: relays and sockets do not run on nodes that can be taken away."
  }

  validation {
    condition     = alltrue([for group in var.nodes : group.minimum >= 1 && group.maximum >= group.minimum])
    error_message = "At least one node, and the most not below the least."
  }
}

variable "administrators" {
  description = "ARNs of the roles that may administer the cluster."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.administrators : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", arn))])
    error_message = "ARNs of IAM roles: people come in by a role, never by a user."
  }
}
