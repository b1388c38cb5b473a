# Names, certificates, the CDN and the firewall before all cells.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Which bucket and key is said at init, from edge.s3.tfbackend; the lock is a file beside the state.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

# Certificates and firewalls of CloudFront live in this region and nowhere else.
provider "aws" {
  region = "us-east-1"

  default_tags {
    tags = { managed-by = "terraform" }
  }
}

module "edge" {
  source = "../../modules/dns-cdn"

  domain = var.domain
  cells  = var.cells
}
