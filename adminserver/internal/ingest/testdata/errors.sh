# What a client hears when something is wrong with its request. Needs
# SUSPENDED_KEY besides URL and KEY.
. "$(dirname "$0")/client.sh"

receipt='{"provider":"stripe","provider_event_id":"evt_200","event_type":"invoice.paid","effect_type":"credit_grant",
  "internal_reference":"acct_1","occurred_at":"2026-03-01T12:00:00Z"}'

call 406 '"code":"missing_accept_header"' /api/v1/receipt "$receipt" --header 'Accept:'
call 406 '"code":"not_acceptable"' /api/v1/receipt "$receipt" --header 'Accept: text/html'
call 415 '"code":"unsupported_media_type"' /api/v1/receipt "$receipt" --header 'Content-Type:'
call 415 '"code":"unsupported_media_type"' /api/v1/receipt "$receipt" --header 'Content-Type: application/x-www-form-urlencoded'
call 401 '"code":"unauthorized"' /api/v1/receipt "$receipt" --header 'Authorization:'
call 401 '"code":"unauthorized"' /api/v1/receipt "$receipt" --header 'Authorization: Bearer sk_0000000000000000000000000000000000000000'
call 413 '"code":"payload_too_large"' /api/v1/receipt "$(printf '{"version":"%0100000d"}' 0)"
call 413 '"code":"too_many_fields"' /api/v1/receipt "{$(seq -s , -f '"field%g":1' 100)}"
call 400 '"code":"missing_idempotency_key"' /api/v1/receipt "$receipt" --header 'Idempotency-Key:'
call 402 '"code":"subscription_required"' /api/v1/receipt "$receipt" --header "Authorization: Bearer $SUSPENDED_KEY"
call 202 '"accepted":true' /api/v1/receipt "$receipt" --header 'Idempotency-Key: once'
call 409 '"code":"idempotency_conflict"' /api/v1/receipt '{}' --header 'Idempotency-Key: once'
call 422 '"code":"validation_error"' /api/v1/receipt '{}'
call 422 '"occurred_at":["is required"]' /api/v1/receipt '{}'
call 422 '"body":["has a member twice"]' /api/v1/receipt '{"provider":"stripe","provider":"shopify"}'
call 422 '"Provider":["is not a field of this endpoint"]' /api/v1/receipt '{"Provider":"stripe"}'
call 422 '"status":["must be one of success, failed"]' /api/v1/result '{"provider_event_id":"evt_200","status":"done"}'
call 404 '"code":"not_found"' /api/v1/result '{"provider_event_id":"evt_unknown","status":"success"}'
call 405 '"error":{' /api/v1/receipt "$receipt" --request PUT
