"""What a host tells of its work to OpenTelemetry and to its log; it depends on OpenTelemetry's API alone."""
