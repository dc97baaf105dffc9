package main

// Match keys of docs/linkage.md section 4, and the file that decides them.

import (
	"regexp"
	"slices"
	"strings"
)

// Person is what a row says; "" for what it does not.
type Person struct {
	families, givens        []string
	year, month, day        string
	postcode, house, street string
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func start(text string, n int) string { return text[:min(n, len(text))] }

func readPerson(row map[string]string) (Person, error) {
	var p Person
	family, err := nameWords(row["family_name"])
	if err != nil {
		return p, in("family_name", err)
	}
	prefix, err := nameWords(row["name_prefix"])
	if err != nil {
		return p, in("name_prefix", err)
	}
	given, err := nameWords(row["given_names"])
	if err != nil {
		return p, in("given_names", err)
	}
	kept := slices.DeleteFunc(slices.Clone(family), func(word string) bool { return particles[word] })
	if len(kept) == 0 {
		kept = family
	}
	if len(kept) == 0 {
		kept = prefix
	}
	for i, word := range given {
		if i == 0 || !patronymic.MatchString(word) {
			p.givens = append(p.givens, fold(word))
		}
	}
	for _, word := range kept {
		p.families = append(p.families, fold(word))
	}
	if p.year, p.month, p.day, err = knownDate(row["birth_date"]); err != nil {
		return p, in("birth_date", err)
	}
	p.postcode, p.house, p.street, err = readAddress(row)
	return p, err
}

var (
	postcodeForm = regexp.MustCompile(`^[0-9A-Z]{3,10}$`)
	dutchCode    = regexp.MustCompile(`^NL([0-9]{4}.*)$`)
	houseNumber  = regexp.MustCompile(`^0*([1-9][0-9]{0,4})([^0-9]|$)`)
)

func readAddress(row map[string]string) (postcode, house, street string, err error) {
	text := map[string]string{}
	for _, column := range []string{"postcode", "house_number", "street"} {
		if text[column], err = readOptional(row[column]); err != nil {
			return "", "", "", in(column, err)
		}
	}
	code := capitals(strings.NewReplacer(" ", "", ".", "", "-", "").Replace(text["postcode"]))
	code = dutchCode.ReplaceAllString(code, "$1")
	if postcodeForm.MatchString(code) && strings.ContainsAny(code, "0123456789") {
		postcode = code
	}
	if found := houseNumber.FindStringSubmatch(text["house_number"]); found != nil {
		house = found[1]
	}
	for _, letter := range capitals(text["street"]) {
		if made, err := latinBy(latinLetters, string(letter)); err == nil {
			street += made
		}
	}
	return postcode, house, start(street, 6), nil
}

func sorted(parts ...string) []string {
	slices.Sort(parts)
	return parts
}

func join(lists ...[]string) []string { return slices.Concat(lists...) }

// keys by name, as in the table of section 4.
func (p Person) keys() map[string][]string {
	family, given := strings.Join(p.families, ""), strings.Join(p.givens, "")
	f, g, l := first(p.families), first(p.givens), last(p.families)
	born, yearMonth, eitherOrder := "", "", []string{""}
	if p.day != "" {
		born = p.year + p.month + p.day
		eitherOrder = join([]string{p.year}, sorted(p.month, p.day))
	}
	if p.month != "" {
		yearMonth = p.year + p.month
	}
	return map[string][]string{
		"exact":            {family, given, born},
		"swapped":          join(sorted(f, g), eitherOrder),
		"sounds":           join(sorted(consonants(f), consonants(g)), []string{born}),
		"last family name": {l, start(g, 1), born},
		"new name":         {g, born, p.postcode},
		"letters, house":   {start(f, 3), start(g, 3), p.year, p.house, p.street},
		"names, house":     join(sorted(f, g), []string{p.house, p.street}),
		"sounds, postcode": {consonants(f), consonants(g), p.postcode},
		"letters":          {start(f, 3), start(g, 3), born},
		"letters, either":  join(sorted(start(f, 3), start(g, 3)), eitherOrder),
		"given name":       {g, start(f, 1), born},
		"family name":      {f, born},
		"no day":           join(sorted(l, g), []string{yearMonth}),
		"given, house":     {g, start(f, 3), p.house, p.street},
		"date, postcode":   {born, p.postcode},
		"date, house":      {born, p.house, p.street},
	}
}

var (
	byName = []string{"exact", "swapped", "sounds", "last family name", "letters, either", "given name", "family name", "no day"}
	byHome = []string{"exact", "swapped", "sounds", "last family name", "new name", "letters, house", "names, house",
		"sounds, postcode", "letters", "given, house", "date, postcode", "date, house"}
)

// identifierKey is key 1 of the schemes that begin with a number.
func identifierKey(scheme string, row map[string]string) ([]string, error) {
	filled := func(columns ...string) bool {
		return slices.ContainsFunc(columns, func(column string) bool { return strings.TrimFunc(row[column], isSpace) != "" })
	}
	switch {
	case strings.HasPrefix(scheme, "bsn-") && filled("bsn"):
		digits, err := numberSchemes["bsn"].read(row["bsn"], false)
		return []string{digits}, in("bsn", err)
	case strings.HasPrefix(scheme, "document-") && filled("document_country", "document_number"):
		return readWID(row)
	}
	return nil, nil
}

// personKeys gives the fields of each key of a scheme; nil for one that the row has not.
func personKeys(scheme string, row map[string]string) ([][]string, error) {
	person, err := readPerson(row)
	if err != nil {
		return nil, err
	}
	made, out, some := person.keys(), [][]string{}, false
	order := byHome
	if scheme == "name-birthdate-2" {
		order = byName
	} else if scheme != "name-birthdate-address" {
		key, err := identifierKey(scheme, row)
		if err != nil {
			return nil, err
		}
		out, some = append(out, key), key != nil
	}
	for _, name := range order {
		key := made[name]
		if slices.Contains(key, "") {
			key = nil
		}
		out, some = append(out, key), some || key != nil
	}
	if !some {
		return nil, Refused{"family_name", tooLittle}
	}
	return out, nil
}

func readPersons(r *Reader) {
	var file struct {
		Cases []struct {
			Name    string
			Row     map[string]string
			Schemes map[string]PublishedKeys
		}
	}
	r.read("persons/keys.json", &file)
	for _, one := range file.Cases {
		for scheme, published := range one.Schemes {
			keys, err := personKeys(scheme, one.Row)
			r.matchKeys(one.Name+" under "+scheme, keys, err, published)
		}
	}
}
