# What a client hears from a server that allows it two requests at once.
. "$(dirname "$0")/client.sh"

for event in evt_300 evt_301; do
  call 202 '"accepted":true' /api/v1/receipt "{\"provider\":\"stripe\",\"provider_event_id\":\"$event\",\"event_type\":\"invoice.paid\",
    \"effect_type\":\"credit_grant\",\"internal_reference\":\"acct_1\",\"occurred_at\":\"2026-03-01T12:00:00Z\"}"
done
call 429 'Retry-After: ' /api/v1/receipt '{}' --include
call 429 '"code":"rate_limited"' /api/v1/receipt '{}'
