# tflint --recursive: Terraform's own rules, all of them.
config {
  call_module_type = "local"
}

plugin "terraform" {
  enabled = true
  preset  = "all"
}

# Inputs and outputs are in files of their own, versions of roots stand with their provider and their state.
rule "terraform_standard_module_structure" {
  enabled = false
}
