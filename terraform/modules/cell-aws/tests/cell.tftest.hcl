# No cloud is asked: the provider's own schema holds, its answers are made up.
mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"] }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/mock" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:mock" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:mock" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:mock" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:mock" }
  }

  mock_resource "aws_eks_cluster" {
    defaults = { identity = [{ oidc = [{ issuer = "https://oidc.example.org/id/mock" }] }] }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:us-east-1:123456789012:db:mock"
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin" }]
    }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/mock" }
  }

  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mock" }
  }

  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:us-east-1:123456789012:backup-vault:mock" }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
}

mock_provider "aws" {
  alias = "backup"

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_region" {
    defaults = { name = "us-west-2" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::copy" }
  }

  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:us-west-2:123456789012:backup-vault:copy" }
  }
}

variables {
  name                    = "bloom-us"
  jurisdiction            = "us"
  region                  = "us-east-1"
  backup_region           = "us-west-2"
  cidr                    = "10.16.0.0/16"
  hostname                = "us.bloom.example.org"
  kafka_bootstrap_servers = "kafka.example.org:9092"
  valkey_auth_token       = "0123456789abcdef0123456789abcdef"
  # Any file will do: what is in the archive is tested beside the function.
  lab_results_package = "tests/package.zip"
  cache_node_type     = "cache.t4g.small"
  database            = { instance_class = "db.m7g.large", storage_gib = 100 }
  nodes               = { steady = { instance_types = ["m7g.large"], minimum = 3, maximum = 6, spot = false } }
}

run "a_cell_has_all_services_with_a_role_and_a_secret_of_their_own" {
  assert {
    condition     = length(output.helm_values.services) == length(module.platform.services)
    error_message = "Every service of the platform is in the cell."
  }

  assert {
    condition     = alltrue([for name, service in output.helm_values.services : service.secret == "bloom-us/${name}"])
    error_message = "Each service has its own secret."
  }

  assert {
    condition     = output.helm_values.services["messaging"].environment["MESSAGING_ATTACHMENT_STORE"] != ""
    error_message = "Messaging is told where attachments are kept."
  }
}

run "a_region_outside_the_jurisdiction_is_refused" {
  command = plan

  variables {
    region = "eu-west-1"
  }

  expect_failures = [var.region]
}

run "backups_abroad_are_refused" {
  command = plan

  variables {
    backup_region = "eu-central-1"
  }

  expect_failures = [var.backup_region]
}

run "backups_beside_the_original_are_refused" {
  command = plan

  variables {
    backup_region = "us-east-1"
  }

  expect_failures = [var.backup_region]
}
