namespace WebService.Upstreams;

/// <summary>The simulated upstreams, on the same host so that the sample needs no second one, and the knobs that change them.</summary>
internal static class UpstreamEndpoints
{
    public const string Price = "price";
    public const string Payment = "payment";

    public static IServiceCollection AddUpstreams(this IServiceCollection services, ServiceSettings settings) => services
        .AddKeyedSingleton(Price, new SimulatedUpstream(Price, settings.PriceMood))
        .AddKeyedSingleton(Payment, new SimulatedUpstream(Payment, settings.PaymentMood))
        .AddSingleton<UpstreamClient>();

    public static void MapUpstreams(this IEndpointRouteBuilder routes)
    {
        SimulatedUpstream price = routes.ServiceProvider.GetRequiredKeyedService<SimulatedUpstream>(Price);
        SimulatedUpstream payment = routes.ServiceProvider.GetRequiredKeyedService<SimulatedUpstream>(Payment);

        routes.MapGet("/upstream/price/{article}", (string article, CancellationToken callerGone) =>
            price.AnswerAsync(() => new PriceAnswer(1.00m + (article.Length * 0.25m)), callerGone));

        routes.MapPost("/upstream/payment", (PaymentQuestion question, CancellationToken callerGone) =>
            payment.AnswerAsync(() => new PaymentAnswer($"paid-by-{question.Customer}-{Guid.NewGuid():N}"), callerGone));

        routes.MapGet("/upstream", () => new[] { price.Report(), payment.Report() });

        routes.MapPut("/upstream/{name}", (string name, UpstreamMood mood) =>
        {
            SimulatedUpstream? upstream = name == price.Name ? price : name == payment.Name ? payment : null;
            if (upstream is null)
            {
                return Results.Problem($"There is no upstream '{name}': only price and payment.", statusCode: StatusCodes.Status404NotFound);
            }

            if (mood.Complaint() is { } complaint)
            {
                return Results.Problem(complaint, statusCode: StatusCodes.Status400BadRequest);
            }

            upstream.Change(mood);
            return Results.Ok(upstream.Report());
        });
    }
}

internal sealed record PriceAnswer(decimal Price);

internal sealed record PaymentQuestion(string Customer);

internal sealed record PaymentAnswer(string Receipt);
