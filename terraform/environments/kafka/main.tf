# Kafka of both jurisdictions. It is a root of its own because it outlives cells, and clouds: what one of them loses, the log has.
terraform {
  required_version = ">= 1.10"

  required_providers {
    confluent = {
      source  = "confluentinc/confluent"
      version = "~> 2.0"
    }
  }

  # Which bucket and key is said at init, from kafka.s3.tfbackend; the lock is a file beside the state.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

# Its key and secret come from the environment: CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET.
provider "confluent" {}

module "us" {
  source = "../../modules/confluent"

  name         = "bloom-us"
  jurisdiction = "us"
  region       = "us-east-1"
}

module "eu" {
  source = "../../modules/confluent"

  name         = "bloom-eu"
  jurisdiction = "eu"
  region       = "eu-west-1"
}
