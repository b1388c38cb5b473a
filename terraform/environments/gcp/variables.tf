variable "project" {
  description = "Project that everything lies in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "The id of a project."
  }
}

variable "domain" {
  description = "The platform's domain."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "A domain name."
  }
}

variable "administrators_cidr" {
  description = "Addresses that may reach the API of the cluster, inside the network."
  type        = string
}

variable "kafka_bootstrap_servers" {
  description = "Where the cell's Kafka answers: output of the root of Kafka."
  type        = string
}

variable "size" {
  description = "How large the cell is: one of the files sizes/gcp-*.tfvars.json, which are also what make cost prices."
  type = object({
    database        = object({ tier = string, storage_gib = number })
    cache_node_type = string
  })
}
