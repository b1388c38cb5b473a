# The cell of the United States: one call of cell-aws.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Which bucket and key is said at init, from us.s3.tfbackend; the lock is a file beside the state.
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
  name          = "bloom-us"
  region        = "us-east-1"
  backup_region = "us-west-2"
  tags          = { cell = local.name, jurisdiction = "us", managed-by = "terraform" }
}

module "cell" {
  source = "../../modules/cell-aws"

  providers = {
    aws        = aws
    aws.backup = aws.backup
  }

  name                    = local.name
  jurisdiction            = "us"
  region                  = local.region
  backup_region           = local.backup_region
  cidr                    = "10.16.0.0/16"
  hostname                = "us.${var.domain}"
  administrators          = var.administrators
  kafka_bootstrap_servers = var.kafka_bootstrap_servers
  valkey_auth_token       = var.valkey_auth_token
  lab_results_package     = "${path.module}/../../../deploy/lab-results/dist/lab-results.zip"

  nodes           = var.size.nodes
  database        = var.size.database
  cache_node_type = var.size.cache_node_type
  one_nat_gateway = var.size.one_nat_gateway
}
