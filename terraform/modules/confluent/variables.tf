variable "name" {
  description = "Prefix of every name, one per cell: bloom-us."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, 3 to 20 of them, a letter first."
  }
}

variable "cloud" {
  description = "Cloud that the brokers run in."
  type        = string
  default     = "AWS"

  validation {
    condition     = contains(["AWS", "GCP"], var.cloud)
    error_message = "AWS or GCP."
  }
}

variable "jurisdiction" {
  description = "Where the log may be: us or eu."
  type        = string

  validation {
    condition     = contains(["us", "eu"], var.jurisdiction)
    error_message = "us or eu."
  }
}

variable "region" {
  description = "Region of the brokers."
  type        = string

  validation {
    # Google says europe-west1 where AWS says eu-west-1.
    condition     = startswith(replace(var.region, "europe-", "eu-"), "${var.jurisdiction}-")
    error_message = "The region lies outside the jurisdiction: health data would leave it."
  }
}
