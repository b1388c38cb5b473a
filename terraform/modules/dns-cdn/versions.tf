terraform {
  required_version = ">= 1.10"

  # The provider must be set to us-east-1: certificates and firewalls of CloudFront live there and nowhere else.
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
