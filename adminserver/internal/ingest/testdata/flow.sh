# Receipts and results: what a client sends while all is well.
. "$(dirname "$0")/client.sh"

stripe='{"provider":"stripe","provider_event_id":"evt_100","event_type":"invoice.paid","effect_type":"credit_grant",
  "internal_reference":"acct_1","occurred_at":"2026-03-01T12:00:00Z"}'
call 202 '"accepted":true,"event_id":"' /api/v1/receipt "$stripe"
id=$(member event_id)
deadline=$(member timeout_at)
[ -n "$deadline" ]

# The provider delivers again: another Idempotency-Key, the same receipt.
call 202 "\"event_id\":\"$id\",\"timeout_at\":\"$deadline\",\"duplicate\":true" /api/v1/receipt "$stripe"
# The client sends again, because it heard no answer: the same key, the same bytes.
call 202 '"duplicate":true' /api/v1/receipt "$stripe" --header 'Idempotency-Key: mine' --header 'Accept: */*'
call 202 "$answer" /api/v1/receipt "$stripe" --header 'Idempotency-Key: mine'

# The older spelling and the older address.
call 202 '"accepted":true' /v1/receipt '{"provider":"stripe","stripe_event_id":"evt_101","event_type":"checkout.session.completed",
  "effect_type":"access_unlock","internal_reference":"user_7","occurred_at":"2026-03-01T12:00:00.123+02:00","timeout_minutes":5}'
call 202 '"accepted":true' /api/v1/receipt '{"provider":"shopify","provider_event_id":"b54557e4-bdd9-4b37-8a5f-bf7d70bcd043","event_type":"orders/paid",
  "effect_type":"access_unlock","internal_reference":"order_1001","occurred_at":"2026-03-01T12:00:00Z","shopify_shop_domain":"mystore.myshopify.com"}'

# It happened.
call 202 "\"event_id\":\"$id\",\"status\":\"success\"" /api/v1/result '{"provider_event_id":"evt_100","status":"success"}'
# It failed, and then it happened.
call 202 '"status":"failed"' /v1/result '{"stripe_event_id":"evt_101","status":"failed","error_code":"timeout","error_message":"the licence server did not answer"}'
call 202 '"status":"success"' /api/v1/result '{"stripe_event_id":"evt_101","status":"success","replay_id":"0190a000-0000-7000-8000-000000000000"}'
# By the id that the receipt was answered with.
call 202 "\"event_id\":\"$id\"" /api/v1/result "{\"event_id\":\"$id\",\"status\":\"success\"}"

# One event that owes two effects: the result says which.
call 202 '"accepted":true' /api/v1/receipt '{"provider":"stripe","provider_event_id":"evt_100","event_type":"invoice.paid","effect_type":"seat_update",
  "internal_reference":"acct_1","occurred_at":"2026-03-01T12:00:00Z"}'
call 422 '"effect_type":["' /api/v1/result '{"provider_event_id":"evt_100","status":"success"}'
call 202 '"status":"success"' /api/v1/result '{"provider_event_id":"evt_100","effect_type":"seat_update","status":"success"}'
