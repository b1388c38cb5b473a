"""What Terraform's modules and pages are given by the code, and how the modules are looked at without any cloud."""
