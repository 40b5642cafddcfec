package currency

import (
	"math"
	"testing"
)

func TestParseIsExactOrRefuses(t *testing.T) {
	for _, test := range []struct {
		decimal, code string
		want          int64
		ok            bool
	}{
		{"19.99", "EUR", 1999, true},
		{"19.9", "usd", 1990, true},
		{"19", "USD", 1900, true},
		{"0.00", "USD", 0, true},
		{"-0.05", "USD", -5, true},
		{"19.990", "USD", 1999, true},
		{"19.991", "USD", 0, false},
		{"1000", "JPY", 1000, true},
		{"1000.00", "JPY", 1000, true},
		{"1000.50", "JPY", 0, false},
		{"5", "ISK", 5, true},
		{"1.234", "KWD", 1234, true},
		{"1.2", "BHD", 1200, true},
		{"1.2345", "TND", 0, false},
		{"1.2345", "CLF", 12345, true},
		{"92233720368547758.07", "USD", math.MaxInt64, true},
		{"-92233720368547758.08", "USD", math.MinInt64, true},
		{"92233720368547758.08", "USD", 0, false},
		// A float64 would say 900719925474099300 here.
		{"9007199254740993.01", "USD", 900719925474099301, true},
		{"", "USD", 0, false},
		{".", "USD", 0, false},
		{".5", "USD", 0, false},
		{"5.", "USD", 0, false},
		{"+5", "USD", 0, false},
		{"--5", "USD", 0, false},
		{"1e3", "USD", 0, false},
		{"1,000.00", "USD", 0, false},
		{"1_000", "USD", 0, false},
		{" 1", "USD", 0, false},
		{"٣", "USD", 0, false},
		{"NaN", "USD", 0, false},
		{"1", "", 0, false},
		{"1", "US", 0, false},
		{"1", "U$D", 0, false},
		{"1", "USDT", 0, false},
	} {
		got, ok := Parse(test.decimal, test.code)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("Parse(%q, %q) = %d, %v", test.decimal, test.code, got, ok)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		minor int64
		code  string
		want  string
	}{
		{1999, "eur", "19.99"},
		{5, "USD", "0.05"},
		{0, "USD", "0.00"},
		{-5, "USD", "-0.05"},
		{-1999, "USD", "-19.99"},
		{1000, "JPY", "1000"},
		{-7, "JPY", "-7"},
		{1234, "KWD", "1.234"},
		{12, "KWD", "0.012"},
		{math.MinInt64, "USD", "-92233720368547758.08"},
		{math.MinInt64, "JPY", "-9223372036854775808"},
	} {
		if got := Format(test.minor, test.code); got != test.want {
			t.Errorf("Format(%d, %q) = %q, want %q", test.minor, test.code, got, test.want)
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	f.Add("19.99", "USD", int64(1999))
	f.Add("-1000", "JPY", int64(-1))
	f.Add("1.234", "KWD", int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, decimal, code string, minor int64) {
		Parse(decimal, code)
		if !IsCode(code) {
			return
		}
		if back, ok := Parse(Format(minor, code), code); !ok || back != minor {
			t.Errorf("%d %s: written %q, read %d, %v", minor, code, Format(minor, code), back, ok)
		}
	})
}
