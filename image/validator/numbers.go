package main

import (
	"bytes"
	"encoding/json"
	"math"
)

// hasFraction says whether a number in a text of JSON is written with a point or an exponent.
func hasFraction(data []byte) bool {
	isText, isNumber := false, false
	for at := 0; at < len(data); at++ {
		switch one := data[at]; {
		case isText && one == '\\':
			at++
		case one == '"':
			isText, isNumber = !isText, false
		case isText:
		case isNumber && (one == '.' || one == 'e' || one == 'E'):
			return true
		default:
			isNumber = '0' <= one && one <= '9'
		}
	}
	return false
}

// wholeNumbers writes 2.0 as 2. Flux and kubectl do so when they make JSON of YAML, and the server takes no 2.0 for a 2.
func wholeNumbers(data []byte) []byte {
	if !hasFraction(data) {
		return data
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return data
	}
	written, err := json.Marshal(withWholeNumbers(value))
	if err != nil {
		return data
	}
	return written
}

func withWholeNumbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, entry := range value {
			value[name] = withWholeNumbers(entry)
		}
	case []any:
		for number, item := range value {
			value[number] = withWholeNumbers(item)
		}
	case json.Number:
		if number, err := value.Float64(); err == nil && isWhole(value) {
			return int64(number)
		}
	}
	return value
}

// isWhole says so of 2 and of 2.0, below the numbers that a float cannot tell apart.
func isWhole(value json.Number) bool {
	number, err := value.Float64()
	return err == nil && number == math.Trunc(number) && math.Abs(number) < 1<<53
}
