package main

// Canonical JSON of docs/formats.md section 1: RFC 8785 with ASCII keys and integers within 2^53 - 1.

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"
	"strconv"
	"strings"
)

const (
	maxDepth   = 32
	maxInteger = 1<<53 - 1
)

// canonical writes a value that was read with json.Number for numbers.
func canonical(value any) ([]byte, error) { return appendCanonical(nil, value, 1) }

func appendCanonical(out []byte, value any, depth int) ([]byte, error) {
	var err error
	switch v := value.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > maxInteger || n < -maxInteger {
			return nil, errors.New("no integer within 2^53 - 1")
		}
		return strconv.AppendInt(out, n, 10), nil
	case string:
		return appendText(out, v), nil
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if list, is := value.([]any); is {
		out = append(out, '[')
		for i, item := range list {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = appendCanonical(out, item, depth+1); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	}
	members := value.(map[string]any)
	names := []string{}
	for name := range members {
		if strings.ContainsFunc(name, func(r rune) bool { return r > 0x7F }) {
			return nil, errors.New("a key outside ASCII")
		}
		names = append(names, name)
	}
	sort.Strings(names)
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, name), ':')
		if out, err = appendCanonical(out, members[name], depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

var escapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

func appendText(out []byte, text string) []byte {
	out = append(out, '"')
	for _, letter := range text {
		if short, is := escapes[letter]; is {
			out = append(out, short...)
		} else if letter < 0x20 {
			out = append(out, `\u00`...)
			out = append(out, "0123456789abcdef"[letter>>4], "0123456789abcdef"[letter&15])
		} else {
			out = append(out, string(letter)...)
		}
	}
	return append(out, '"')
}

// readCanonical takes nothing but the canonical form of an object.
func readCanonical(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	again, err := canonical(value)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, errors.New("not the canonical form")
	}
	return value, nil
}
