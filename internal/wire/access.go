package wire

import "github.com/sendpromptly/sendpromptly/internal/store"

// Keys are a project's API keys, newest first, revoked ones too.
type Keys struct {
	Keys []store.Key `json:"keys"`
}

// KeyWithSecret is a new API key, which is shown once.
type KeyWithSecret struct {
	store.Key
	Secret string `json:"key" doc:"sk_ and 40 characters, shown this once."`
}

// Operators are the people who may log in.
type Operators struct {
	Operators []store.OperatorAccount `json:"operators"`
}

// LoginLink logs its holder in once.
type LoginLink struct {
	URL string `json:"url" doc:"Works once, within 15 minutes."`
}

// Tokens are API tokens, newest first, those that have ended too.
type Tokens struct {
	Tokens []store.Token `json:"tokens"`
}

// TokenWithSecret is a new token, which is shown once.
type TokenWithSecret struct {
	store.Token
	Secret string `json:"token" doc:"spt_ and 40 characters, shown this once."`
}
