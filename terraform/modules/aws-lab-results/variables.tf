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

variable "package" {
  description = "Path of the function's archive, which make lab-results writes."
  type        = string

  validation {
    condition     = endswith(var.package, ".zip")
    error_message = "A zip archive."
  }
}

variable "vpc_id" {
  description = "The VPC that the function runs in."
  type        = string
}

variable "subnets" {
  description = "Subnets that the function runs in."
  type        = list(string)
}

variable "bucket" {
  description = "Bucket that laboratories' documents are put into."
  type        = object({ name = string, arn = string })
}

variable "table" {
  description = "Table that documents are listed in."
  type        = object({ name = string, arn = string })
}

variable "most_at_once" {
  description = "How many copies of the function run at once at most."
  type        = number
  default     = 10

  validation {
    condition     = var.most_at_once >= 1 && var.most_at_once <= 100
    error_message = "1 to 100."
  }
}
