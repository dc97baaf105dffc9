package main

// Match keys of docs/linkage.md section 4, and the file that decides them.

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
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

// refused says which column a row is refused for.
type refused struct{ column string }

func (r refused) Error() string { return r.column }

func readPerson(row map[string]string) (Person, error) {
	var p Person
	family, err := nameWords(row["family_name"])
	if err != nil {
		return p, refused{"family_name"}
	}
	prefix, err := nameWords(row["name_prefix"])
	if err != nil {
		return p, refused{"name_prefix"}
	}
	given, err := nameWords(row["given_names"])
	if err != nil {
		return p, refused{"given_names"}
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
	if p.year, p.month, p.day, err = readDate(row["birth_date"]); err != nil {
		return p, refused{"birth_date"}
	}
	p.postcode, p.house, p.street = readAddress(row)
	return p, nil
}

var (
	yearFirst = regexp.MustCompile(`^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})$`)
	dayFirst  = regexp.MustCompile(`^([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{4})$`)
	compact   = regexp.MustCompile(`^([0-9]{4})([0-9]{2})([0-9]{2})$`)
	yearMonth = regexp.MustCompile(`^([0-9]{4})(?:[-/.]([0-9]{1,2}))?$`)
	monthYear = regexp.MustCompile(`^([0-9]{1,2})[-/. ]([0-9]{4})$`)
)

// readDate gives what is known. Months in words and serial numbers are read by the client and stand in no vector here.
func readDate(cell string) (year, month, day string, err error) {
	text, err := tidy(cell)
	if err != nil || text == "" {
		return "", "", "", err
	}
	var y, m, d string
	if found := yearFirst.FindStringSubmatch(text); found != nil {
		y, m, d = found[1], found[2], found[3]
	} else if found := compact.FindStringSubmatch(text); found != nil {
		y, m, d = found[1], found[2], found[3]
	} else if found := dayFirst.FindStringSubmatch(text); found != nil {
		y, m, d = found[3], found[2], found[1]
		if number(m) > 12 && number(d) <= 12 {
			return "", "", "", errors.New("American order")
		}
	} else if found := yearMonth.FindStringSubmatch(text); found != nil {
		y, m = found[1], found[2]
	} else if found := monthYear.FindStringSubmatch(text); found != nil {
		y, m = found[2], found[1]
	} else {
		return "", "", "", errors.New("no date")
	}
	if number(y) == 0 {
		return "", "", "", nil
	}
	if number(y) < 1880 || number(y) > 2099 {
		return "", "", "", errors.New("out of range")
	}
	if number(m) < 1 || number(m) > 12 {
		return y, "", "", nil
	}
	month = fmt.Sprintf("%02d", number(m))
	when := time.Date(number(y), time.Month(number(m)), number(d), 0, 0, 0, 0, time.UTC)
	if number(d) == 0 || int(when.Month()) != number(m) {
		return y, month, "", nil
	}
	return y, month, fmt.Sprintf("%02d", number(d)), nil
}

func number(text string) int {
	made, _ := strconv.Atoi(text)
	return made
}

var (
	postcodeForm = regexp.MustCompile(`^[0-9A-Z]{3,10}$`)
	dutchCode    = regexp.MustCompile(`^NL([0-9]{4}.*)$`)
	houseNumber  = regexp.MustCompile(`^0*([1-9][0-9]{0,4})([^0-9]|$)`)
	noCapital    = regexp.MustCompile(`[^A-Z]`)
)

func readAddress(row map[string]string) (postcode, house, street string) {
	text, err := tidy(row["postcode"])
	must(err)
	text = strings.ToUpper(strings.NewReplacer(" ", "", ".", "", "-", "").Replace(text))
	text = dutchCode.ReplaceAllString(text, "$1")
	if postcodeForm.MatchString(text) && strings.ContainsAny(text, "0123456789") {
		postcode = text
	}
	text, err = tidy(row["house_number"])
	must(err)
	if found := houseNumber.FindStringSubmatch(text); found != nil {
		house = found[1]
	}
	text, err = tidy(row["street"])
	must(err)
	for _, letter := range strings.ToUpper(text) {
		if made, err := toLatin(string(letter), false); err == nil {
			street += noCapital.ReplaceAllString(made, "")
		}
	}
	return postcode, house, start(street, 6)
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
	switch {
	case strings.HasPrefix(scheme, "bsn-") && row["bsn"] != "":
		digits := row["bsn"]
		if len(digits) == 8 {
			digits = "0" + digits
		}
		sum := 0
		for i, digit := range digits {
			weight := 9 - i
			if i == 8 {
				weight = -1
			}
			sum += weight * int(digit-'0')
		}
		if len(digits) != 9 || sum%11 != 0 {
			return nil, refused{"bsn"}
		}
		return []string{digits}, nil
	case strings.HasPrefix(scheme, "document-") && row["document_number"]+row["document_country"] != "":
		region, err := language.ParseRegion(strings.ToUpper(row["document_country"]))
		if err != nil {
			return nil, refused{"document_country"}
		}
		joints := strings.NewReplacer(" ", "", ".", "", "-", "", "/", "", "<", "")
		return []string{region.ISO3(), strings.ToUpper(joints.Replace(row["document_number"]))}, nil
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
		return nil, refused{"family_name"}
	}
	return out, nil
}

func readPersons(r *Reader) {
	var file struct {
		Cases []struct {
			Name    string
			Row     map[string]string
			Schemes map[string]struct {
				Keys    [][]string
				Refused *struct{ Column string }
			}
		}
	}
	r.read("persons/keys.json", &file)
	for _, one := range file.Cases {
		for scheme, published := range one.Schemes {
			keys, err := personKeys(scheme, one.Row)
			if published.Refused != nil {
				if err == nil {
					err = errors.New("taken")
				}
				r.check(one.Name+" under "+scheme, err, refused{published.Refused.Column})
				continue
			}
			if err != nil {
				r.check(one.Name+" under "+scheme, err, errors.New("taken"))
				continue
			}
			for i, key := range published.Keys {
				r.check(fmt.Sprintf("%s under %s, key %d", one.Name, scheme, i+1), keys[i], key)
			}
		}
	}
}
