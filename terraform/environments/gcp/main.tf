# A cell of the European Union on Google Cloud: one call of cell-gcp. Its Kafka is the one that the cells on AWS read too.
terraform {
  required_version = ">= 1.10"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # Which bucket is said at init, from gcp.gcs.tfbackend; Google's buckets lock by themselves.
  backend "gcs" {}
}

provider "google" {
  project = var.project
  region  = local.region

  default_labels = {
    cell       = local.name
    managed-by = "terraform"
  }
}

locals {
  name   = "bloom-eu-gcp"
  region = "europe-west1"
  # The catalogue of events has one home, beside the topics.
  subjects = jsondecode(file("${path.module}/../../modules/confluent/topics.json")).subjects
}

module "cell" {
  source = "../../modules/cell-gcp"

  project                 = var.project
  name                    = local.name
  jurisdiction            = "eu"
  region                  = local.region
  hostname                = "eu.${var.domain}"
  administrators_cidr     = var.administrators_cidr
  kafka_bootstrap_servers = var.kafka_bootstrap_servers
  database                = var.size.database
  cache_node_type         = var.size.cache_node_type
  events                  = toset([for subject, schema in local.subjects : trimsuffix(basename(schema), ".json")])
}
