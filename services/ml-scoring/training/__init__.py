"""Makes a model's directory from trained weights: export, quantise, choose thresholds, measure, seal. No service imports it."""
