variable "domain" {
  description = "The platform's domain."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "A domain name."
  }
}

variable "administrators" {
  description = "ARNs of the roles that may administer the cluster."
  type        = set(string)
}

variable "kafka_bootstrap_servers" {
  description = "Where the cell's Kafka answers: output of the root of Kafka."
  type        = string
}

variable "valkey_auth_token" {
  description = "Password of Valkey; from the environment, never from a file."
  type        = string
  sensitive   = true
}

variable "size" {
  description = "How large the cell is: one of the files sizes/*.tfvars.json, which are also what make cost prices."
  type = object({
    nodes = map(object({
      instance_types = list(string)
      minimum        = number
      maximum        = number
      spot           = bool
    }))
    database        = object({ instance_class = string, storage_gib = number })
    cache_node_type = string
    one_nat_gateway = bool
  })
}
