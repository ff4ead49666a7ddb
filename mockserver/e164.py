"""How an E.164 number is written for people."""


def international(number: str) -> str:
    """Give the number in its country's international format (`+1 202-555-0123`), or as it is where that is another one.

    A country's plan may not be known, or it may take some digits for a trunk prefix and leave them out.
    """
    import phonenumbers  # its tables are large, and few runs need them

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    text = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return text if "".join(filter(str.isdigit, text)) == number[1:] else number
