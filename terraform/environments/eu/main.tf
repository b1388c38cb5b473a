# The cell of the European Union: one call of cell-aws.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Which bucket and key is said at init, from eu.s3.tfbackend; the lock is a file beside the state.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = local.region

  default_tags {
    tags = local.tags
  }
}

provider "aws" {
  alias  = "backup"
  region = local.backup_region

  default_tags {
    tags = local.tags
  }
}

locals {
  name          = "bloom-eu"
  region        = "eu-west-1"
  backup_region = "eu-central-1"
  tags          = { cell = local.name, jurisdiction = "eu", managed-by = "terraform" }
}

module "cell" {
  source = "../../modules/cell-aws"

  providers = {
    aws        = aws
    aws.backup = aws.backup
  }

  name                    = local.name
  jurisdiction            = "eu"
  region                  = local.region
  backup_region           = local.backup_region
  cidr                    = "10.32.0.0/16"
  hostname                = "eu.${var.domain}"
  administrators          = var.administrators
  kafka_bootstrap_servers = var.kafka_bootstrap_servers
  valkey_auth_token       = var.valkey_auth_token
  lab_results_package     = "${path.module}/../../../deploy/lab-results/dist/lab-results.zip"

  nodes           = var.size.nodes
  database        = var.size.database
  cache_node_type = var.size.cache_node_type
  one_nat_gateway = var.size.one_nat_gateway
}
