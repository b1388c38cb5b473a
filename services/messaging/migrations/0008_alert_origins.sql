-- What an alert's last change belongs to, so that its being pushed is found under the same correlation and in the same trace.
alter table alert_pushes
    add column correlation_id uuid,
    add column causation_id uuid,
    add column traceparent text;
