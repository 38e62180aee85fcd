"""Hardware profiles: data only, one YAML file per accelerator."""
