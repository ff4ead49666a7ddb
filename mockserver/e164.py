"""How an E.164 number is written for people."""


def international(number: str) -> str:
    """Give the number in its country's international format (`+1 202-555-0123`), or as it is where no plan is known."""
    import phonenumbers  # its tables are large, and few runs need them

    try:
        return phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return number
