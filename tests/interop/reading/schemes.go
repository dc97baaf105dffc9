package main

// The file that decides the schemes of docs/pseudonym-spec.md section 2.

import "fmt"

// schemeKeys gives the fields of each match key of a row.
func schemeKeys(scheme string, row map[string]string, restoreZeros bool) ([][]string, error) {
	var key []string
	var err error
	switch scheme {
	case "name-birthdate":
		return readSpelled(row)
	case "postcode-number":
		key, err = readDutchHome(row)
	case "wid-document":
		key, err = readWID(row)
	case "loonheffing":
		key = make([]string, 1)
		key[0], err = readPayroll(row[scheme])
	default:
		key = make([]string, 1)
		key[0], err = numberSchemes[scheme].read(row[scheme], restoreZeros)
	}
	return [][]string{key}, in(scheme, err)
}

// PublishedKeys are the match keys of a row as the vectors hold them, or what it is refused for.
type PublishedKeys struct {
	Keys    [][]string
	Refused *Refused
}

func (r *Reader) matchKeys(name string, keys [][]string, err error, published PublishedKeys) {
	if published.Refused != nil || err != nil {
		made, _ := err.(Refused)
		said := Refused{}
		if published.Refused != nil {
			said = *published.Refused
		}
		r.check(name+", column", made.Column, said.Column)
		r.check(name+", reason", made.Reason, said.Reason)
		return
	}
	for i, key := range published.Keys {
		r.check(fmt.Sprintf("%s, key %d", name, i+1), keys[i], key)
	}
}

func readSchemes(r *Reader) {
	var file struct {
		Cases []struct {
			Scheme       string
			RestoreZeros bool `json:"restore_zeros"`
			Row          map[string]string
			PublishedKeys
		}
	}
	r.read("schemes/rows.json", &file)
	for _, one := range file.Cases {
		keys, err := schemeKeys(one.Scheme, one.Row, one.RestoreZeros)
		r.matchKeys(fmt.Sprintf("%s, row %q", one.Scheme, one.Row), keys, err, one.PublishedKeys)
	}
}
