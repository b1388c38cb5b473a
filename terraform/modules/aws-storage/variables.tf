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

variable "backup_key_arn" {
  description = "KMS key of the backup region, for the copies of the objects."
  type        = string
}

variable "buckets" {
  description = "Short names of the buckets."
  type        = set(string)

  validation {
    condition     = alltrue([for bucket in var.buckets : can(regex("^[a-z][a-z-]{1,30}$", bucket)) && bucket != "logs"])
    error_message = "Lower-case letters and hyphens; logs is the name of the bucket of access logs."
  }
}

variable "allowed_origins" {
  description = "Origins of the browsers that upload and download by signed links."
  type        = list(string)

  validation {
    condition     = alltrue([for origin in var.allowed_origins : startswith(origin, "https://") && !strcontains(origin, "*")])
    error_message = "Origins by HTTPS, without a wildcard."
  }
}

variable "browser_buckets" {
  description = "The buckets that browsers reach by signed links."
  type        = set(string)
  default     = ["attachments"]
}
