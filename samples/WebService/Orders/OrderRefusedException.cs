namespace WebService.Orders;

/// <summary>An order that cannot be filled, with the answer that its customer gets.</summary>
internal sealed class OrderRefusedException : Exception
{
    private const int LongestEcho = 40;

    public OrderRefusedException(int status, string title, string detail)
        : base(detail)
    {
        Status = status;
        Title = title;
    }

    /// <summary>The HTTP status.</summary>
    public int Status { get; }

    /// <summary>The kind of problem, the same for every order that has it.</summary>
    public string Title { get; }

    /// <summary>Whether what follows on the connection is no request any more.</summary>
    public bool EndsConnection { get; init; }

    public static OrderRefusedException Malformed(string detail) =>
        new(StatusCodes.Status400BadRequest, "The order is malformed", detail);

    public static OrderRefusedException TooLarge(long limit) =>
        new(StatusCodes.Status413PayloadTooLarge, "The order is too large", $"An order has at most {limit} bytes.");

    public static OrderRefusedException UnknownArticle(string name, IEnumerable<string> known) =>
        new(StatusCodes.Status404NotFound, "No such article", $"There is no article '{Shorten(name)}'. There are: {string.Join(", ", known)}.");

    public static OrderRefusedException OutOfStock(string article, int wanted, long free) =>
        new(StatusCodes.Status409Conflict, "Out of stock", $"{wanted} of '{article}' were ordered, and {free} are free.");

    // An answer never repeats a long text that somebody sent, and never cuts a character in two.
    private static string Shorten(string text) => text.Length <= LongestEcho ? text : $"{text.AsSpan(0, char.IsHighSurrogate(text[LongestEcho - 1]) ? LongestEcho - 1 : LongestEcho)}…";
}
