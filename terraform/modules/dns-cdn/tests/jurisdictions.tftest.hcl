mock_provider "aws" {
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
      domain_validation_options = [
        { domain_name = "x.example.org", resource_record_name = "_x.example.org", resource_record_type = "CNAME", resource_record_value = "_y.example.org" }
      ]
    }
  }

  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/bloom/00000000-0000-0000-0000-000000000000" }
  }
}

variables {
  domain = "bloom.example.org"
  cells = {
    us-1 = { jurisdiction = "us", gateway = "us-1.cells.example.org", standby = false }
    us-2 = { jurisdiction = "us", gateway = "us-2.cells.example.org", standby = true }
    eu-1 = { jurisdiction = "eu", gateway = "eu-1.cells.example.org", standby = false }
  }
}

run "a_cell_is_followed_by_the_one_of_its_own_jurisdiction" {
  assert {
    condition     = aws_route53_record.origin["us-1"].name == aws_route53_record.origin["us-2"].name
    error_message = "The cell and its standby answer to one name."
  }

  assert {
    condition     = aws_route53_record.origin["us-2"].failover_routing_policy[0].type == "SECONDARY"
    error_message = "The standby comes second."
  }

  assert {
    condition     = aws_route53_record.origin["eu-1"].name != aws_route53_record.origin["us-1"].name
    error_message = "Nobody in one jurisdiction is led to the other."
  }

  assert {
    condition     = alltrue([for record in aws_route53_record.origin : record.health_check_id != ""])
    error_message = "A record without a health check never gives way."
  }
}

run "each_jurisdiction_has_a_name_of_its_own_by_https_alone" {
  assert {
    condition     = output.hosts["us"] == "us.bloom.example.org" && output.hosts["eu"] == "eu.bloom.example.org"
    error_message = "us and eu below the domain."
  }

  assert {
    condition     = alltrue([for each in aws_cloudfront_distribution.this : each.default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https"])
    error_message = "HTTP is sent to HTTPS."
  }
}

run "two_first_cells_in_a_jurisdiction_are_refused" {
  command = plan

  variables {
    cells = {
      us-1 = { jurisdiction = "us", gateway = "us-1.cells.example.org", standby = false }
      us-2 = { jurisdiction = "us", gateway = "us-2.cells.example.org", standby = false }
    }
  }

  expect_failures = [var.cells]
}
